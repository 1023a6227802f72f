"""`python -m fastproxy` is `fastproxy`."""

from fastproxy.cli import main

if __name__ == "__main__":
    main()
