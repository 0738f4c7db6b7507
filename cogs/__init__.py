"""What members touch: parse an interaction, call one service, render the answer."""
