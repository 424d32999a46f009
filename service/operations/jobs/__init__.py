"""What snapshots, verifications, replays and redrives have in common: started once, resumed, cancelled, shown."""
