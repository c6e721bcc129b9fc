"""What is measured on frames, with error bars."""
