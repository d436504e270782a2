"""What the controller shows of itself: metrics, health, logs."""
