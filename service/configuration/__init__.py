"""What the process is told: settings from the environment and `.env`, checked at once."""
