"""Pictures of every page and state, rendered offscreen: `make screenshots`."""
