"""QSFS: a filesystem whose files outlive the machine that they are written on."""
