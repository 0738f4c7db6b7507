"""What members may spend, and who decides: settings of servers, the one decision, blocks and grants."""
