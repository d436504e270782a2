"""nginx configuration that people wrote into snippets, read into typed steps. No text of it goes any further."""
