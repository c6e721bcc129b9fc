"""What is read and written: trajectories, labels, other codes' atoms."""
