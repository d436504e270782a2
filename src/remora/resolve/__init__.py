"""Names elsewhere: DNS answers for the names that the translation asks for, fed to it as objects."""
