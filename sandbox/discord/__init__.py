"""A local Discord: REST v10, gateway and page API with Discord's refusals, state in memory."""
