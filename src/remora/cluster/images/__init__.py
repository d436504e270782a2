"""`remora image build`: a Dockerfile, read for what a process needs, becomes a folder, a virtual environment and a command.

`dockerfile`, `words` and `ignored` read text; `stages` decides which stages are needed; `commands` says what becomes of a RUN;
all of these are pure. `build` carries it out, with `copying` and `packages`.
"""
