"""The protocol: each method of TCLIService, as `databricks-sql-connector` 4.4 calls it."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import pyspark

from lakehouse.endpoint import metadata, parameters
from lakehouse.endpoint import schema as types
from lakehouse.endpoint.catalog import Catalog
from lakehouse.endpoint.catalog_names import shown_text
from lakehouse.endpoint.connect import SparkError, SparkServer
from lakehouse.endpoint.descriptions import Descriptions
from lakehouse.endpoint.governance import Governance
from lakehouse.endpoint.operation import Operation, Result, State
from lakehouse.endpoint.session import Session
from lakehouse.endpoint.statement_log import StatementLog
from lakehouse.endpoint.thrift_api import t

logger = logging.getLogger(__name__)

# A client cannot cancel a statement before ExecuteStatement has answered, nor while a poll is
# under way (the connector holds a lock), so both answer soon.
EXECUTE_SECONDS = 0.5
POLL_SECONDS = 0.25
_MAX_ROWS = 10_000
_MAX_SESSIONS = 200
_MAX_STATEMENTS = 100  # of a session, that run or have a result to be read

_STATES = {
    State.RUNNING: t.TOperationState.RUNNING_STATE,
    State.FINISHED: t.TOperationState.FINISHED_STATE,
    State.CANCELED: t.TOperationState.CANCELED_STATE,
    State.CLOSED: t.TOperationState.CLOSED_STATE,
    State.ERROR: t.TOperationState.ERROR_STATE,
}


def _ok() -> Any:
    return t.TStatus(t.TStatusCode.SUCCESS_STATUS)


def _failed(error: SparkError) -> Any:
    message = shown_text(error.message)
    return t.TStatus(
        t.TStatusCode.ERROR_STATUS,
        sqlState=error.sqlstate or "HY000",
        errorMessage=message,
        displayMessage=message,
    )


def _invalid(what: str) -> Any:
    return t.TStatus(
        t.TStatusCode.INVALID_HANDLE_STATUS,
        sqlState="HY000",
        errorMessage=f"The {what} is closed or expired: connect again.",
    )


def _catalog_call(
    response: Any, kind: str, make: Callable[[Catalog, Any], Result]
) -> Callable[[Service, Any], Any]:
    """The protocol's call that `make` answers."""

    def call(service: Service, request: Any) -> Any:
        session = service._session(request)
        if session is None:
            return response(_invalid("session"))
        name = type(request).__name__.removeprefix("T").removesuffix("Req")
        operation = session.answer(name, lambda catalog: make(catalog, request))
        return service._started(response, request, operation, kind)

    return call


class Service:
    """Handler for `TCLIService.Processor`. All methods are called from many threads."""

    def __init__(
        self,
        spark: SparkServer,
        governance: Governance,
        descriptions: Descriptions,
        log: StatementLog,
        idle_seconds: float = 1800.0,
    ) -> None:
        self._spark = spark
        self._governance = governance
        self._descriptions = descriptions
        self._log = log
        self._idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._sessions: dict[bytes, Session] = {}
        self._closing = threading.Event()

    # Sessions

    def OpenSession(self, request: Any) -> Any:
        with self._lock:
            full = len(self._sessions) >= _MAX_SESSIONS
        if full:
            return t.TOpenSessionResp(
                _failed(SparkError(f"There are {_MAX_SESSIONS} open sessions: close some.")),
                t.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7,
            )
        namespace = request.initialNamespace
        catalog = namespace.catalogName if namespace else None
        session = Session(
            self._spark.open(), self._governance, self._descriptions, self._log, catalog
        )
        try:
            session.configure(
                request.configuration or {}, namespace.schemaName if namespace else None
            )
        except SparkError as error:
            session.close()
            return t.TOpenSessionResp(
                _failed(error), t.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7
            )
        with self._lock:
            self._sessions[session.guid] = session
        handle = t.TSessionHandle(t.THandleIdentifier(session.guid, session.secret))
        return t.TOpenSessionResp(
            _ok(),
            t.TProtocolVersion.SPARK_CLI_SERVICE_PROTOCOL_V7,
            sessionHandle=handle,
            configuration={},
            initialNamespace=namespace,
            canUseMultipleCatalogs=True,
        )

    def CloseSession(self, request: Any) -> Any:
        with self._lock:
            session = self._sessions.pop(request.sessionHandle.sessionId.guid, None)
        if session is None:
            return t.TCloseSessionResp(_invalid("session"))
        session.close()
        return t.TCloseSessionResp(_ok())

    def _session(self, request: Any) -> Session | None:
        with self._lock:
            session = self._sessions.get(request.sessionHandle.sessionId.guid)
        if session is not None:
            session.last_used = time.monotonic()
        return session

    # Statements and calls about the catalog

    def ExecuteStatement(self, request: Any) -> Any:
        session = self._session(request)
        if session is None:
            return t.TExecuteStatementResp(_invalid("session"))
        if len(session.operations()) >= _MAX_STATEMENTS:
            text = f"There are {_MAX_STATEMENTS} open statements: read or close their results."
            return t.TExecuteStatementResp(_failed(SparkError(text)))
        try:
            bound = parameters.bind(request.statement, request.parameters)
        except SparkError as error:
            return t.TExecuteStatementResp(_failed(error))
        operation = session.execute(request.statement, bound)
        return self._started(t.TExecuteStatementResp, request, operation, "EXECUTE_STATEMENT")

    def _started(self, response: Any, request: Any, operation: Operation, kind: str) -> Any:
        direct = None
        wanted = request.getDirectResults
        if wanted is not None:
            operation.wait(EXECUTE_SECONDS)
            direct = self._direct(operation, wanted.maxRows, wanted.maxBytes)
        handle = t.TOperationHandle(
            t.THandleIdentifier(operation.guid, uuid.uuid4().bytes),
            getattr(t.TOperationType, kind),
            True,
        )
        return response(_ok(), handle, direct)

    def _direct(self, operation: Operation, max_rows: int, max_bytes: int) -> Any:
        """What can be told at once; with the whole of a small result, which is then closed."""
        status = self._status(operation)
        if operation.state is not State.FINISHED:
            if operation.state is State.ERROR:
                operation.close()
            return t.TSparkDirectResults(operationStatus=status)
        rows = self._rows(operation, max_rows, max_bytes)
        closed = None
        if not rows.hasMoreRows:
            operation.close()
            closed = t.TCloseOperationResp(_ok())
        return t.TSparkDirectResults(status, self._metadata(operation), rows, closed)

    GetCatalogs = _catalog_call(t.TGetCatalogsResp, "GET_CATALOGS", metadata.catalogs)
    GetSchemas = _catalog_call(t.TGetSchemasResp, "GET_SCHEMAS", metadata.schemas)
    GetTables = _catalog_call(t.TGetTablesResp, "GET_TABLES", metadata.tables)
    GetColumns = _catalog_call(t.TGetColumnsResp, "GET_COLUMNS", metadata.columns)
    GetTableTypes = _catalog_call(t.TGetTableTypesResp, "GET_TABLE_TYPES", metadata.table_types)
    GetTypeInfo = _catalog_call(t.TGetTypeInfoResp, "GET_TYPE_INFO", metadata.type_info)
    GetFunctions = _catalog_call(t.TGetFunctionsResp, "GET_FUNCTIONS", metadata.functions)
    GetPrimaryKeys = _catalog_call(t.TGetPrimaryKeysResp, "UNKNOWN", metadata.primary_keys)
    GetCrossReference = _catalog_call(t.TGetCrossReferenceResp, "UNKNOWN", metadata.cross_reference)

    def GetInfo(self, request: Any) -> Any:
        value = metadata.information(request.infoType, pyspark.__version__)
        return t.TGetInfoResp(_ok(), t.TGetInfoValue(stringValue=value))

    # Operations

    def _operation(self, request: Any) -> Operation | None:
        guid = request.operationHandle.operationId.guid
        with self._lock:
            sessions = list(self._sessions.values())
        return next((o for s in sessions if (o := s.operation(guid)) is not None), None)

    def GetOperationStatus(self, request: Any) -> Any:
        operation = self._operation(request)
        if operation is None:
            return t.TGetOperationStatusResp(_invalid("operation"))
        operation.wait(POLL_SECONDS)
        status = self._status(operation)
        if operation.state is State.ERROR:
            # The connector does not close what has failed.
            operation.close()
        return status

    def _status(self, operation: Operation) -> Any:
        response = t.TGetOperationStatusResp(
            _ok(),
            operationState=_STATES[operation.state],
            hasResultSet=True,
            numModifiedRows=operation.modified_rows,
        )
        error = operation.error
        if error is not None:
            response.sqlState = error.sqlstate or "HY000"
            response.errorMessage = response.displayMessage = shown_text(error.message)
        return response

    def GetResultSetMetadata(self, request: Any) -> Any:
        operation = self._operation(request)
        if operation is None:
            return t.TGetResultSetMetadataResp(_invalid("operation"))
        operation.wait(POLL_SECONDS)
        return self._metadata(operation)

    def _metadata(self, operation: Operation) -> Any:
        return t.TGetResultSetMetadataResp(
            _ok(),
            schema=types.thrift_schema(operation.columns),
            resultFormat=t.TSparkRowSetType.ARROW_BASED_SET,
            lz4Compressed=False,
            arrowSchema=operation.arrow.serialize().to_pybytes(),
            isStagingOperation=False,
        )

    def FetchResults(self, request: Any) -> Any:
        operation = self._operation(request)
        if operation is None:
            return t.TFetchResultsResp(_invalid("operation"))
        # An asynchronous client may ask before there is anything.
        while not operation.wait(POLL_SECONDS) and not self._closing.is_set():
            continue
        response = self._rows(operation, request.maxRows or _MAX_ROWS, request.maxBytes or 0)
        if request.includeResultSetMetadata:
            response.resultSetMetadata = self._metadata(operation)
        return response

    def _rows(self, operation: Operation, max_rows: int, max_bytes: int) -> Any:
        try:
            batches, more, offset = operation.fetch(max_rows, max_bytes)
        except SparkError as error:
            operation.close()
            return t.TFetchResultsResp(_failed(error), hasMoreRows=False)
        arrow = [
            t.TSparkArrowBatch(batch.serialize().to_pybytes(), batch.num_rows) for batch in batches
        ]
        rows = t.TRowSet(startRowOffset=offset, rows=[], arrowBatches=arrow)
        return t.TFetchResultsResp(_ok(), hasMoreRows=more, results=rows)

    def CancelOperation(self, request: Any) -> Any:
        operation = self._operation(request)
        if operation is not None:
            operation.cancel()
        return t.TCancelOperationResp(_ok())

    def CloseOperation(self, request: Any) -> Any:
        operation = self._operation(request)
        if operation is not None:
            operation.close()
        return t.TCloseOperationResp(_ok())

    # Life

    def count(self) -> tuple[int, int]:
        """Open sessions, and statements that run."""
        with self._lock:
            sessions = list(self._sessions.values())
        running = sum(1 for s in sessions for o in s.operations() if o.state is State.RUNNING)
        return len(sessions), running

    def expire(self) -> None:
        """Close sessions that nobody has used for long, and results that nobody reads."""
        now = time.monotonic()
        with self._lock:
            sessions = list(self._sessions.values())
        for session in sessions:
            if session.busy:
                continue
            if now - session.last_used > self._idle_seconds:
                with self._lock:
                    self._sessions.pop(session.guid, None)
                logger.info("session %s expired", session.id[:8])
                session.close()
                continue
            for operation in session.operations():
                if now - operation.last_used > self._idle_seconds:
                    operation.close()

    def close(self) -> None:
        """Stop all statements and free all sessions."""
        self._closing.set()
        with self._lock:
            sessions = list(self._sessions.values())
            self._sessions.clear()
        for session in sessions:
            session.close()
