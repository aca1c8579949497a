"""What single kinds of nodes of T-SQL become in SQLite."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from tests.lab.sqlserver.engine import calls
from tests.lab.sqlserver.engine.compiling import data_type
from tests.lab.sqlserver.engine.functions import BIGINT, FLOAT, FUNCTIONS, INT, NVARCHAR, VARIANT
from tests.lab.sqlserver.engine.inference import Scope, _call, _common, _internal, _typed
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import SqlFailure, SqlType
from tests.lab.sqlserver.engine.values import make_type, type_text

if TYPE_CHECKING:
    from tests.lab.sqlserver.engine.rewriting import Rewriter
GLOBALS = {
    "ROWCOUNT": INT, "ERROR": INT, "TRANCOUNT": INT, "SPID": SqlType("smallint"), "IDENTITY": SqlType("decimal", 0, 38, 0), "FETCH_STATUS": INT, "LOCK_TIMEOUT": INT,
    "MAX_PRECISION": SqlType("tinyint"), "NESTLEVEL": INT, "OPTIONS": INT, "PROCID": INT, "DATEFIRST": SqlType("tinyint"), "TEXTSIZE": INT, "MICROSOFTVERSION": INT,
    "LANGID": SqlType("smallint"), "MAX_CONNECTIONS": INT, "CONNECTIONS": INT, "DBTS": SqlType("varbinary", 8), "CPU_BUSY": INT,
}  # fmt: skip
GLOBAL_TEXTS = {"VERSION", "SERVERNAME", "SERVICENAME", "LANGUAGE", "REMSERVER"}


def _literal(_: Rewriter, node: Any, _scope: Scope, _ctes: Any) -> exp.Expression:
    if node.is_string:
        return _typed(node, SqlType("varchar", max(len(node.name), 1)))
    text = node.name
    if "e" in text.lower():
        return _typed(node, FLOAT)
    if "." in text:
        digits = text.replace(".", "").lstrip("0")
        return _typed(node, SqlType("decimal", 0, max(len(digits), 1), len(text.partition(".")[2])))
    return _typed(node, INT if int(text) < 2**31 else BIGINT)


def _national(_: Rewriter, node: Any, _scope: Scope, _ctes: Any) -> exp.Expression:
    return _typed(exp.Literal.string(node.name), SqlType("nvarchar", max(len(node.name), 1)))


def _hex(_: Rewriter, node: Any, _scope: Scope, _ctes: Any) -> exp.Expression:
    text = str(node.this)
    text = text if len(text) % 2 == 0 else "0" + text
    return _typed(exp.HexString(this=text), SqlType("varbinary", max(len(text) // 2, 1)))


def _parameter(self: Rewriter, node: Any, _scope: Scope, _ctes: Any) -> exp.Expression:
    if isinstance(node.this, exp.Parameter):
        name = str(node.this.this.name).upper()
        self.uses_globals = True
        kind = NVARCHAR if name in GLOBAL_TEXTS else GLOBALS.get(name)
        if kind is None:
            raise fail(137, f"@@{name}")
        return _typed(_internal("t_variable", [exp.Literal.string(name)]), kind)
    name = str(node.this.name)
    kind = self.variables.get("@" + name.lower())
    if kind is None:
        raise fail(137, f"@{name}")
    return _typed(exp.Placeholder(this=f"v_{name.lower()}"), kind)


def _cast_node(self: Rewriter, node: Any, scope: Scope, ctes: Any) -> exp.Expression:
    if isinstance(node, exp.Convert):
        value, to, style = node.expression, data_type(node.this), node.args.get("style")
    else:
        value, to, style = node.this, data_type(node.to), None
    inner = self.expression(value, scope, ctes)
    source = inner.meta.get("type")
    if to.name in {"nvarchar", "varchar", "varbinary"} and "(" not in (
        node.this if isinstance(node, exp.Convert) else node.to
    ).sql(dialect="tsql"):
        to = make_type(to.name, "30")
    arguments = [inner, exp.Literal.string(type_text(to)), exp.Literal.string(source.name if source else "")]
    if style is not None:
        arguments.append(self.expression(style, scope, ctes))
    trying = isinstance(node, exp.TryCast) or bool(node.args.get("safe"))
    return _typed(_internal("t_try_cast" if trying else "t_cast", arguments), to)


def _case(self: Rewriter, node: Any, scope: Scope, ctes: Any) -> exp.Expression:
    self._children(node, scope, ctes)
    branches = [branch.args["true"].meta.get("type") for branch in node.args["ifs"]]
    default = node.args.get("default")
    return _typed(node, _common([*branches, default.meta.get("type") if default is not None else None]))


def _if(self: Rewriter, node: Any, scope: Scope, ctes: Any) -> exp.Expression:
    self._children(node, scope, ctes)
    return node


def _exists(self: Rewriter, node: Any, scope: Scope, ctes: Any) -> exp.Expression:
    self.query(node.this, scope, ctes)
    return node


def _in(self: Rewriter, node: Any, scope: Scope, ctes: Any) -> exp.Expression:
    node.set("this", self.expression(node.this, scope, ctes))
    if node.args.get("query") is not None:
        query = node.args["query"]
        self.query(query, scope, ctes)
        return node
    node.set("expressions", [self.expression(item, scope, ctes) for item in node.expressions])
    self._same_kind(node)
    return node


def _extract(self: Rewriter, node: Any, scope: Scope, ctes: Any) -> exp.Expression:
    value = self.expression(node.expression, scope, ctes)
    return _call("DATEPART", [exp.Literal.string(node.this.name), value], INT)


def _current(name: str) -> Callable[[Rewriter, Any, Scope, Any], exp.Expression]:
    def call(_: Rewriter, __: Any, _scope: Scope, _ctes: Any) -> exp.Expression:
        return _call(name, [], FUNCTIONS[name][1])

    return call


def _collate(self: Rewriter, node: Any, scope: Scope, ctes: Any) -> exp.Expression:
    inner = self.expression(node.this, scope, ctes)
    name = node.expression.name.upper()
    sensitive = "_CS" in name or "_BIN" in name
    return _typed(
        exp.Collate(this=inner, expression=exp.Var(this="BINARY" if sensitive else "NOCASE")), inner.meta.get("type")
    )


def _dot(self: Rewriter, node: Any, scope: Scope, ctes: Any) -> exp.Expression:
    if isinstance(node.expression, exp.Anonymous) and node.this.name.lower() == "sys":
        return calls.call(self, node.expression, scope, ctes)
    shown = ".".join(str(part.this if isinstance(part, exp.Anonymous) else part.name) for part in node.parts)
    raise SqlFailure(
        4121,
        f'Cannot find either column "{node.parts[0].name}" or the user-defined function or aggregate "{shown}", or the name is ambiguous.',
    )


def _group_concat(self: Rewriter, node: Any, scope: Scope, ctes: Any) -> exp.Expression:
    inner = node.this.this if isinstance(node.this, exp.Order) else node.this
    arguments = [self.expression(inner, scope, ctes), self.expression(node.args["separator"], scope, ctes)]
    return _typed(_internal("a_string_agg", arguments), NVARCHAR)


def _variant(node: exp.Expression) -> exp.Expression:
    return _typed(node, VARIANT)


_SPECIAL: dict[type, Callable[[Rewriter, Any, Scope, Any], exp.Expression]] = {
    exp.Literal: _literal, exp.National: _national, exp.HexString: _hex, exp.Parameter: _parameter, exp.Cast: _cast_node, exp.TryCast: _cast_node,
    exp.Convert: _cast_node, exp.Case: _case, exp.If: _if, exp.Exists: _exists, exp.In: _in, exp.CurrentTimestamp: _current("GETDATE"), exp.Extract: _extract,
    exp.CurrentUser: _current("USER_NAME"), exp.SessionUser: _current("USER_NAME"), exp.Collate: _collate, exp.Dot: _dot, exp.GroupConcat: _group_concat,
}  # fmt: skip
