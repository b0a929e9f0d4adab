"""The first version of pydantic had the settings inside, and other words for the same."""
from typing import List, Optional

from pydantic import BaseSettings, Field, SecretStr


class Old(BaseSettings):
    door_key: str
    window_key: str = Field(..., env="old_window_key")
    cache: str = Field("redis://localhost", env=["old_cache_dsn", "old_redis"])
    hosts: List[str] = []
    nothing: Optional[str]
    token: SecretStr = None
    listed: str

    class Config:
        env_prefix = "old_"
        case_sensitive = False
        env_file = "old.env"
        fields = {"listed": {"env": "listed_elsewhere"}}
