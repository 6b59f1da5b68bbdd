"""What a person can do, one typed function each; window, command line and server are faces of the same actions."""
