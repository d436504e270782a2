"""`remora doctor`: `machine`, `listening`, `local_profiles` and `kubernetes` collect facts, `examine` has all checks judged."""
