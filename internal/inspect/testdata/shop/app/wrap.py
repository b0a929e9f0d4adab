import os


def env(name, default=None):
    return os.getenv(name, default)
