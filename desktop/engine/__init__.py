"""The app's side of inference: protocol, supervision, client."""
