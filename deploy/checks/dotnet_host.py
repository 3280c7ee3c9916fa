"""Runs in the environment `dotnet` of tools.py, never in ours. Questions and answers are JSON, a
line each: ["sql", text] gives a script's faults and statements by Microsoft's own parser,
["pipeline", {"document": …, "parameters": …, "outputs": …}] the activities that run, with what
their expressions come to, by Data Factory's own engine, or the sentence with which it refuses.
"""
# mypy: ignore-errors

import functools
import json
import os
import re
import signal
import sys
import tempfile
from pathlib import Path

import dotnetcore2
import lark.reconstruct
import pythonnet

# The engine makes grammar and writer anew for each expression.
lark.Lark = functools.cache(lark.Lark)
lark.reconstruct.Reconstructor = functools.cache(lark.reconstruct.Reconstructor)
os.environ["DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"] = "1"
FOLDER = Path(tempfile.mkdtemp())
FRAMEWORK = {"name": "Microsoft.NETCore.App", "version": "3.1.0"}
OPTIONS = {"tfm": "netcoreapp3.1", "framework": FRAMEWORK}
(FOLDER / "runtime.json").write_text(json.dumps({"runtimeOptions": OPTIONS}))
pythonnet.load(
    "coreclr",
    runtime_config=str(FOLDER / "runtime.json"),
    dotnet_root=str(Path(dotnetcore2.__file__).parent / "bin"),
)


def parsed(text):
    """sqlcmd's variables are put in before the server sees a script."""
    import clr

    packages = Path(dotnetcore2.__file__).parents[1]
    folder = packages / "mssqlcli/mssqltoolsservice/bin"
    clr.AddReference(str(folder / "Microsoft.SqlServer.TransactSql.ScriptDom"))
    from Microsoft.SqlServer.TransactSql.ScriptDom import TSql150Parser
    from System.IO import StringReader

    tree, errors = TSql150Parser(True).Parse(
        StringReader(re.sub(r"\$\(\w+\)", "variable", text)), None
    )
    return {
        "faults": [f"line {e.Line}, column {e.Column}: {e.Message}" for e in errors],
        "statements": [statement(s) for b in tree.Batches for s in b.Statements] if tree else [],
    }


def statement(node):
    kind = node.GetType().Name
    found = {"kind": kind}
    if kind == "CreateProcedureStatement":
        found["name"] = joined(node.ProcedureReference.Name)
        found["parameters"] = [p.VariableName.Value.lstrip("@") for p in node.Parameters]
    elif kind == "CreateTableStatement":
        found["name"] = joined(node.SchemaObjectName)
        found["columns"] = [c.ColumnIdentifier.Value for c in node.Definition.ColumnDefinitions]
    elif kind == "AlterTableChangeTrackingModificationStatement":
        found["name"] = joined(node.SchemaObjectName)
        found["on"] = bool(node.IsEnable)
    elif kind == "AlterDatabaseSetStatement":
        found["options"] = [f"{o.OptionKind} {o.OptionState}" for o in node.Options]
    return found


def joined(name):
    return ".".join(i.Value for i in name.Identifiers)


def evaluated(document, parameters, outputs):
    from data_factory_testing_framework import TestFramework, TestFrameworkType
    from data_factory_testing_framework.state import (
        DependencyCondition,
        RunParameter,
        RunParameterType,
    )

    root = Path(tempfile.mkdtemp(dir=FOLDER))
    (root / "pipeline").mkdir()
    (root / "pipeline/it.json").write_text(json.dumps({"name": "it", "properties": document}))
    values = [RunParameter(RunParameterType.Pipeline, k, v) for k, v in parameters.items()]
    values.append(RunParameter(RunParameterType.System, "RunId", "run-1"))
    seen = []
    signal.alarm(60)  # an activity that waits for one that is not there is waited for without end
    try:
        framework = TestFramework(TestFrameworkType.DataFactory, root_folder_path=str(root))
        pipeline = framework.get_pipeline_by_name("it")
        for activity in framework.evaluate_pipeline(pipeline, values):
            seen.append(
                {
                    "name": activity.name,
                    "type": activity.type,
                    "properties": plain(activity.type_properties),
                }
            )
            given = outputs.get(activity.name, {})
            activity.set_result(DependencyCondition.SUCCEEDED, given)
    except Exception as error:  # the engine's refusals have no class in common
        return {"refused": f"{type(error).__name__}: {error}", "seen": seen}
    finally:
        signal.alarm(0)
    return {"seen": seen}


def too_long(*_):
    raise TimeoutError("an activity waits for one that never runs")


def plain(value):
    if hasattr(value, "result"):
        return value.result
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value if isinstance(value, (str, int, float, bool)) or value is None else str(value)


signal.signal(signal.SIGALRM, too_long)
for line in sys.stdin:
    kind, asked = json.loads(line)
    print(json.dumps(parsed(asked) if kind == "sql" else evaluated(**asked)), flush=True)
