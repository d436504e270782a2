"""`python -m remora` is `remora`."""

from remora.cli.main import main

if __name__ == "__main__":
    main()
