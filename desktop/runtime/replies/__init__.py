"""How models write their replies: reasoning, tool calls and text, told apart while they come."""
