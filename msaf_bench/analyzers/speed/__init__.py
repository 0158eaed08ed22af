"""Speed: how long a frame takes, measured in fresh processes, alone."""
