"""Our own of each thing that the manual of python-decouple shows."""
import os
from collections import ChainMap

import decouple
from decouple import AutoConfig, Choices, Config, Csv, RepositoryEnv, RepositoryIni, RepositorySecret, config
from decouple import config as setting

NAME = "NAME_BY_CONSTANT"

KEY = config("DOOR_KEY")
OPEN = config("DOOR_OPEN", default=False, cast=bool)
SIZE = config("DOOR_SIZE", default=25, cast=int)
RATIO = config("DOOR_RATIO", cast=float)
SECOND = config("DOOR_SECOND", "given by place")
THIRD = config("DOOR_THIRD", "3", int)
NONE = config("DOOR_NONE", default=None)
LAMBDA = config("DOOR_HOSTS", cast=lambda v: [s.strip() for s in v.split(",")])
LIST = config("DOOR_LIST", cast=Csv())
NUMBERS = config("DOOR_NUMBERS", cast=Csv(int), default="1,2")
TABBED = config("DOOR_TABBED", cast=Csv(cast=lambda s: s.upper(), delimiter="\t", strip=" %*"))
PAIR = config("DOOR_PAIR", cast=Csv(post_process=tuple))
KIND = config("DOOR_KIND", default="usb", cast=Choices(["eth", "usb", "bluetooth"]))
PORTS = config("DOOR_PORT", cast=Choices([1, 2, 3], cast=int))
PAIRS = config("DOOR_PAIRS", cast=Choices(choices=(("a", "first"), ("b", "second"))))
ALIASED = setting("ALIASED_SETTING")
MODULE = decouple.config("MODULE_SETTING", default="x")
CONSTANT = config(NAME)
LINES = config(
    "OVER_SEVERAL_LINES",
    default="",
)
INSIDE = {"key": config("INSIDE_A_DICT", default="k"), "list": [config("INSIDE_A_LIST")]}

auto = AutoConfig(search_path="/etc/shop")
AUTO = auto("FROM_AUTO")
own = Config(RepositoryEnv("deploy/.env"))
OWN = own("FROM_ENV_FILE", default="o")
GOT = own.get("BY_GET")
ini = Config(RepositoryIni("deploy/settings.ini"))
INI = ini("FROM_INI", cast=int)
mounted = Config(RepositorySecret("/run/secrets/"))
MOUNTED = mounted("FROM_MOUNT")
chained = Config(ChainMap(RepositoryEnv(".private.env"), RepositoryEnv(".env")))
CHAINED = chained("FROM_CHAIN")


def late():
    return config("READ_LATE", default="0", cast=int)


class View:
    size = config("IN_A_CLASS", cast=int)

    def get(self):
        return os.environ.get("DOOR_ENVIRON", config("AS_A_DEFAULT", default=""))
