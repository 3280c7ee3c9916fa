"""The log of a JVM: settings of Log4j."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

_SETTINGS = """rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {file}.log
appender.file.filePattern = {file}.%i.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{yyyy-MM-dd'T'HH:mm:ss.SSS'Z'}}{{UTC}} %p %c{{1}}: %m%n%ex
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = {megabytes}MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
"""


def settings(file: Path, megabytes: int, quiet: Sequence[str] = ()) -> str:
    """Warnings go to `<file>.log`, of which three older ones of this size are kept; of the `quiet`
    loggers only errors."""
    loggers = (
        f"logger.quiet{number}.name = {name}\nlogger.quiet{number}.level = error\n"
        for number, name in enumerate(quiet)
    )
    return _SETTINGS.format(file=file, megabytes=megabytes) + "".join(loggers)
