"""Files of DeePMD-kit."""
