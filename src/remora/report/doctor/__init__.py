"""What `remora doctor` judges: facts, collected elsewhere, to findings. A file for each part of a set-up, all of them pure."""
