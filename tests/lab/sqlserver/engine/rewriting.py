"""The tree of a T-SQL query, changed into one of SQLite: every source resolved, every expression given a type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from tests.lab.sqlserver.engine.compiling import Need, Source, data_type
from tests.lab.sqlserver.engine.functions import (
    BIGINT,
    DATE_FUNCTIONS,
    DATETIME,
    FLOAT,
    FUNCTIONS,
    INT,
    NVARCHAR,
    VARIANT,
)
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.port import Column, SqlFailure, SqlType
from tests.lab.sqlserver.engine.values import BINARIES, DECIMALS, FLOATS, INTEGERS, MOMENTS, TEXTS, make_type, type_text

Resolve = Callable[[exp.Table, str], Source]
AGGREGATES = {
    "COUNT",
    "COUNT_BIG",
    "SUM",
    "AVG",
    "MIN",
    "MAX",
    "STDEV",
    "VAR",
    "CHECKSUM_AGG",
    "GROUPING",
    "APPROX_COUNT_DISTINCT",
}
WINDOW_ONLY = {"ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE", "LAG", "LEAD", "FIRST_VALUE", "LAST_VALUE"}
GLOBALS = {
    "ROWCOUNT": INT, "ERROR": INT, "TRANCOUNT": INT, "SPID": SqlType("smallint"), "IDENTITY": SqlType("decimal", 0, 38, 0), "FETCH_STATUS": INT, "LOCK_TIMEOUT": INT,
    "MAX_PRECISION": SqlType("tinyint"), "NESTLEVEL": INT, "OPTIONS": INT, "PROCID": INT, "DATEFIRST": SqlType("tinyint"), "TEXTSIZE": INT, "MICROSOFTVERSION": INT,
    "LANGID": SqlType("smallint"), "MAX_CONNECTIONS": INT, "CONNECTIONS": INT, "DBTS": SqlType("varbinary", 8), "CPU_BUSY": INT,
}  # fmt: skip
GLOBAL_TEXTS = {"VERSION", "SERVERNAME", "SERVICENAME", "LANGUAGE", "REMSERVER"}
REFUSED = (exp.Lateral, exp.Pivot, exp.MatchRecognize, exp.Unnest, exp.JSONExtract, exp.Bracket)
CONDITIONS = (exp.Predicate, exp.And, exp.Or, exp.Not)


@dataclass
class Scope:
    """The sources of one SELECT, and the one around it."""

    outer: Scope | None = None
    sources: list[Source] = field(default_factory=list)


@dataclass
class Rewriter:
    """Changes trees in place. ``resolve`` answers what a table is; ``variables`` what type each variable has."""

    resolve: Resolve
    variables: Mapping[str, SqlType]
    needs: list[Need] = field(default_factory=list)
    uses_globals: bool = False

    # -- queries ------------------------------------------------------------------------------------------------------------------

    def query(self, node: exp.Expression, outer: Scope | None, ctes: Mapping[str, Source]) -> list[tuple[Column, bool]]:
        """The columns of a query and whether their types are sure."""
        ctes = self._with(node, outer, ctes)
        if node.args.get("for_"):
            raise fail(156, "FOR")
        if isinstance(node, exp.SetOperation):
            left = self.query(node.this, outer, ctes)
            right = self.query(node.expression, outer, ctes)
            if len(left) != len(right):
                raise SqlFailure(
                    205,
                    "All queries combined using a UNION, INTERSECT or EXCEPT operator must have an equal number of expressions in their target lists.",
                )
            self._order(node, Scope(outer, [Source("", tuple(column for column, _ in left))]))
            return [
                (Column(one[0].name, wider(one[0].type, other[0].type)), one[1] and other[1])
                for one, other in zip(left, right, strict=True)
            ]
        if isinstance(node, exp.Subquery):
            return self.query(node.this, outer, ctes)
        if not isinstance(node, exp.Select):
            raise fail(102, node.key)
        return self._select(node, outer, ctes)

    def _with(self, node: exp.Expression, outer: Scope | None, ctes: Mapping[str, Source]) -> Mapping[str, Source]:
        clause = node.args.get("with_") or node.args.get("with")
        if clause is None:
            return ctes
        known = dict(ctes)
        for cte in clause.expressions:
            columns = self.query(cte.this, outer, known)
            names = [name.name for name in (cte.args["alias"].args.get("columns") or [])]
            named = tuple(
                Column(names[at] if at < len(names) else column.name, column.type)
                for at, (column, _) in enumerate(columns)
            )
            known[cte.alias.lower()] = Source(cte.alias, named)
        return known

    def _select(self, node: exp.Select, outer: Scope | None, ctes: Mapping[str, Source]) -> list[tuple[Column, bool]]:
        scope = Scope(outer)
        if not node.expressions:
            raise fail(156, "FROM")
        clause = node.args.get("from_") or node.args.get("from")
        if clause is not None:
            clause.set("this", self.source(clause.this, scope, ctes))
        for join in node.args.get("joins") or []:
            if isinstance(join.this, exp.Lateral):
                raise fail(102, "APPLY")
            join.set("this", self.source(join.this, scope, ctes))
        for join in node.args.get("joins") or []:
            if join.args.get("on") is not None:
                join.set("on", self.expression(join.args["on"], scope, ctes))
        columns = self._projections(node, scope, ctes)
        for part in ("where", "group", "having", "qualify"):
            if node.args.get(part) is not None:
                self._children(node.args[part], scope, ctes)
        self._order(node, Scope(outer, [Source("", tuple(column for column, _ in columns)), *scope.sources]), ctes)
        self._limits(node, scope, ctes)
        for part in ("hint", "options", "into"):
            node.set(part, None)
        return columns

    def _limits(self, node: exp.Select, scope: Scope, ctes: Mapping[str, Source]) -> None:
        limit = node.args.get("limit")
        if limit is not None:
            options = limit.args.get("limit_options")
            if options is not None and (options.args.get("percent") or options.args.get("with_ties")):
                raise fail(102, "PERCENT" if options.args.get("percent") else "TIES")
            self._children(limit, scope, ctes)
        if node.args.get("offset") is not None:
            self._children(node.args["offset"], scope, ctes)

    def _order(self, node: exp.Expression, scope: Scope, ctes: Mapping[str, Source] | None = None) -> None:
        order = node.args.get("order")
        if order is not None:
            for ordered in order.expressions:
                ordered.set("this", self.expression(ordered.this, scope, ctes or {}, lenient=True))

    def _projections(self, node: exp.Select, scope: Scope, ctes: Mapping[str, Source]) -> list[tuple[Column, bool]]:
        made: list[exp.Expression] = []
        columns: list[tuple[Column, bool]] = []
        for item in node.expressions:
            if isinstance(item, exp.Star) or (isinstance(item, exp.Column) and isinstance(item.this, exp.Star)):
                for source, column in self._star(item, scope):
                    made.append(
                        exp.column(
                            exp.to_identifier(column.name, quoted=True),
                            exp.to_identifier(source.alias, quoted=True) if source.alias else None,
                        )
                    )
                    columns.append((column, True))
                continue
            name = item.alias if isinstance(item, exp.Alias) else item.name if isinstance(item, exp.Column) else ""
            bare = item.this if isinstance(item, exp.Alias) else item
            done = self.expression(bare, scope, ctes)
            kind = done.meta.get("type")
            columns.append((Column(name.strip("'"), kind or NVARCHAR), kind is not None))
            made.append(exp.alias_(done, exp.to_identifier(name.strip("'"), quoted=True)) if name else done)
        node.set("expressions", made)
        return columns

    def _star(self, item: exp.Expression, scope: Scope) -> list[tuple[Source, Column]]:
        wanted = item.table.lower() if isinstance(item, exp.Column) else ""
        sources = [source for source in scope.sources if not wanted or source.alias.lower() == wanted]
        if not sources:
            raise (
                SqlFailure(
                    107,
                    f"The column prefix '{wanted}' does not match with a table name or alias name used in the query.",
                    severity=15,
                )
                if wanted
                else SqlFailure(263, "Must specify table to select from.", severity=15)
            )
        return [(source, column) for source in sources for column in source.columns]

    def source(self, node: exp.Expression, scope: Scope, ctes: Mapping[str, Source]) -> exp.Expression:
        """One thing of FROM."""
        if isinstance(node, exp.Table):
            return self._table(node, scope, ctes)
        if isinstance(node, exp.Subquery):
            columns = self.query(node.this, scope.outer, ctes)
            alias = node.args.get("alias")
            names = [name.name for name in (alias.args.get("columns") or [])] if alias else []
            if names:
                alias.set("columns", None)
                self._rename(node.this, names)
            named = tuple(
                Column(names[at] if at < len(names) else column.name, column.type)
                for at, (column, _) in enumerate(columns)
            )
            scope.sources.append(Source(node.alias, named))
            return node
        if isinstance(node, exp.Values):
            return self._values(node, scope, ctes)
        raise fail(102, node.key)

    def _rename(self, query: exp.Expression, names: Sequence[str]) -> None:
        while isinstance(query, exp.SetOperation):
            query = query.this
        if isinstance(query, exp.Select):
            renamed = [
                exp.alias_(item.unalias(), exp.to_identifier(name, quoted=True))
                for item, name in zip(query.expressions, names, strict=False)
            ]
            query.set("expressions", renamed)

    def _values(self, node: exp.Values, scope: Scope, ctes: Mapping[str, Source]) -> exp.Expression:
        names = [name.name for name in node.args["alias"].args.get("columns") or []]
        kinds: list[SqlType | None] = [None] * len(names)
        selects: list[exp.Expression] = []
        for row in node.expressions:
            items = [self.expression(item, Scope(scope.outer), ctes) for item in row.expressions]
            if len(items) != len(names):
                raise SqlFailure(8158, f"'{node.alias}' has more columns than were specified in the column list.")
            for at, item in enumerate(items):
                found = item.meta.get("type")
                kinds[at] = found if kinds[at] is None else wider(kinds[at], found) if found else kinds[at]
            selects.append(
                exp.select(
                    *(
                        exp.alias_(item, exp.to_identifier(name, quoted=True))
                        for item, name in zip(items, names, strict=True)
                    )
                )
            )
        query = selects[0]
        for other in selects[1:]:
            query = exp.union(query, other, distinct=False, copy=False)
        scope.sources.append(
            Source(node.alias, tuple(Column(name, kind or NVARCHAR) for name, kind in zip(names, kinds, strict=True)))
        )
        return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(node.alias, quoted=True)))

    def _table(self, node: exp.Table, scope: Scope, ctes: Mapping[str, Source]) -> exp.Expression:
        alias = node.alias or node.name
        if not node.db and node.name.lower() in ctes:
            scope.sources.append(Source(alias, ctes[node.name.lower()].columns))
            return exp.Table(
                this=exp.to_identifier(node.name, quoted=True),
                alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)),
            )
        source = self.resolve(node, alias)
        scope.sources.append(Source(alias, source.columns))
        real = exp.Table(
            this=exp.to_identifier(source.alias, quoted=True),
            alias=exp.TableAlias(this=exp.to_identifier(alias, quoted=True)),
        )
        for join in node.args.get("joins") or []:
            if isinstance(join.this, exp.Lateral):
                raise fail(102, "APPLY")
            join.set("this", self.source(join.this, scope, ctes))
            if join.args.get("on") is not None:
                join.set("on", self.expression(join.args["on"], scope, ctes))
            real.append("joins", join)
        return real

    # -- expressions --------------------------------------------------------------------------------------------------------------

    def _children(self, node: exp.Expression, scope: Scope, ctes: Mapping[str, Source]) -> None:
        for key, value in list(node.args.items()):
            if isinstance(value, exp.Expression):
                node.set(key, self.expression(value, scope, ctes))
            elif isinstance(value, list):
                node.set(
                    key,
                    [
                        self.expression(item, scope, ctes) if isinstance(item, exp.Expression) else item
                        for item in value
                    ],
                )

    def expression(
        self, node: exp.Expression, scope: Scope, ctes: Mapping[str, Source], *, lenient: bool = False
    ) -> exp.Expression:
        """An expression of SQLite; its type, where it is known, in ``meta['type']``."""
        if isinstance(node, REFUSED):
            raise fail(102, node.key)
        special = _SPECIAL.get(type(node))
        if special is not None:
            return special(self, node, scope, ctes)
        if isinstance(node, exp.Select | exp.SetOperation | exp.Subquery):
            columns = self.query(node, scope, ctes)
            return _typed(node, columns[0][0].type if columns and columns[0][1] else None)
        if isinstance(node, exp.Column):
            return self._column(node, scope, lenient=lenient)
        if isinstance(node, exp.Anonymous):
            return self._call(node, scope, ctes)
        self._children(node, scope, ctes)
        if isinstance(node, exp.Binary):
            return self._binary(node)
        if isinstance(node, exp.Between | exp.In):
            self._same_kind(node)
        if isinstance(
            node,
            exp.Paren
            | exp.Neg
            | exp.Collate
            | exp.Ordered
            | exp.Window
            | exp.Alias
            | exp.BitwiseNot
            | exp.Distinct
            | exp.Filter,
        ):
            inner = node.this if not isinstance(node, exp.Distinct) else node.expressions[0]
            return _typed(node, inner.meta.get("type") if isinstance(inner, exp.Expression) else None)
        return node

    def _column(self, node: exp.Column, scope: Scope, *, lenient: bool) -> exp.Expression:
        prefix, name = node.table, node.name
        if not prefix and not node.this.quoted and name.upper() in {"USER", "SYSTEM_USER"}:
            return _call("SUSER_SNAME" if name.upper() == "SYSTEM_USER" else "USER_NAME", [], NVARCHAR)
        here: Scope | None = scope
        while here is not None:
            for source in here.sources:
                if prefix and source.alias.lower() != prefix.lower():
                    continue
                column = next((column for column in source.columns if column.name.lower() == name.lower()), None)
                if column is not None:
                    table = exp.to_identifier(source.alias, quoted=True) if source.alias else None
                    return _typed(
                        exp.Column(this=exp.to_identifier(column.name, quoted=True), table=table), column.type
                    )
                if prefix:
                    raise fail(207, name)
            here = here.outer
        if prefix:
            raise fail(4104, ".".join(part.name for part in node.parts))
        raise fail(207, name)

    def _call(self, node: exp.Anonymous, scope: Scope, ctes: Mapping[str, Source]) -> exp.Expression:
        name = str(node.this).upper()
        arguments = list(node.expressions)
        if name in DATE_FUNCTIONS and arguments:
            first = arguments[0]
            arguments[0] = exp.Literal.string(first.name)
            rest = [self.expression(item, scope, ctes) for item in arguments[1:]]
            gives = FUNCTIONS[name][1] if name in FUNCTIONS else None
            if name == "DATEADD":
                given = rest[-1].meta.get("type")
                gives = given if given is not None and given.name in MOMENTS else DATETIME
            return _call(name, [arguments[0], *rest], gives)
        arguments = [item if isinstance(item, exp.Star) else self.expression(item, scope, ctes) for item in arguments]
        kinds = [
            item.meta.get("type") if not isinstance(item, exp.Distinct) else item.expressions[0].meta.get("type")
            for item in arguments
        ]
        if name in AGGREGATES or name in WINDOW_ONLY:
            return self._aggregate(name, arguments, kinds)
        if name == "IIF":
            case = exp.Case(ifs=[exp.If(this=_condition(arguments[0]), true=arguments[1])], default=arguments[2])
            return _typed(case, _common(kinds[1:]))
        if name in {"COALESCE", "NULLIF"}:
            return _typed(
                exp.Anonymous(this=name, expressions=arguments), _common(kinds) if name == "COALESCE" else kinds[0]
            )
        if name not in FUNCTIONS:
            raise fail(195, str(node.this))
        gives = FUNCTIONS[name][1]
        if gives is None:
            gives = next((kind for kind in (kinds[1:] if name == "CHOOSE" else kinds) if kind is not None), None)
            if name == "ISNULL" and gives is not None and gives.name in TEXTS and kinds[0] is None:
                gives = NVARCHAR
            if name in {"REPLACE", "STUFF"}:
                gives = NVARCHAR
            if name == "POWER" or (name in {"CEILING", "FLOOR"} and gives is not None and gives.name not in INTEGERS):
                gives = gives if name == "POWER" else BIGINT
        return _call(name, arguments, gives)

    def _aggregate(self, name: str, arguments: list[exp.Expression], kinds: list[SqlType | None]) -> exp.Expression:
        first = kinds[0] if kinds else None
        if name in {"COUNT", "COUNT_BIG", "APPROX_COUNT_DISTINCT"}:
            return _typed(exp.Anonymous(this="COUNT", expressions=arguments), INT if name == "COUNT" else BIGINT)
        if name in {"ROW_NUMBER", "RANK", "DENSE_RANK", "NTILE"}:
            return _typed(exp.Anonymous(this=name, expressions=arguments), BIGINT)
        if name == "AVG" and first is not None and first.name in INTEGERS:
            made = exp.Cast(this=exp.Anonymous(this="AVG", expressions=arguments), to=exp.DataType.build("INT"))
            return _typed(made, first if first.name == "bigint" else INT)
        if name == "SUM" and first is not None and first.name in {"smallint", "tinyint"}:
            first = INT
        if name in {"SUM", "AVG"} and first is not None and first.name == "decimal":
            first = SqlType("decimal", 0, 38, first.scale if name == "SUM" else max(6, first.scale))
        if name in {"SUM", "AVG"} and first is not None and first.name in TEXTS | MOMENTS | {"bit", "uniqueidentifier"}:
            raise SqlFailure(8117, f"Operand data type {first.name} is invalid for {name.lower()} operator.")
        return _typed(exp.Anonymous(this=name, expressions=arguments), first)

    def _binary(self, node: exp.Binary) -> exp.Expression:
        left, right = node.left.meta.get("type"), node.right.meta.get("type")
        if isinstance(node, exp.Add):
            if _numeric(left) and _numeric(right):
                return _typed(node, _arithmetic(left, right))
            return _typed(_internal("t_add", [node.left, node.right]), _sum_type(left, right))
        if isinstance(node, exp.Div | exp.Mod):
            return _typed(
                _internal("t_div" if isinstance(node, exp.Div) else "t_mod", [node.left, node.right]),
                _arithmetic(left, right),
            )
        if isinstance(node, exp.Sub | exp.Mul):
            return _typed(node, _arithmetic(left, right))
        if isinstance(node, exp.BitwiseAnd | exp.BitwiseOr):
            return _typed(node, _arithmetic(left, right))
        if isinstance(node, exp.BitwiseXor):
            either = exp.BitwiseOr(this=node.left.copy(), expression=node.right.copy())
            both = exp.BitwiseAnd(this=node.left, expression=node.right)
            return _typed(exp.Paren(this=exp.Sub(this=exp.Paren(this=either), expression=exp.Paren(this=both))), left)
        if isinstance(node, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE):
            self._same_kind(node)
            if not any(isinstance(side, exp.Column | exp.Collate) for side in (node.left, node.right)):
                node.set("this", exp.Collate(this=exp.Paren(this=node.left), expression=exp.Var(this="NOCASE")))
        return node

    def _same_kind(self, node: exp.Expression) -> None:
        """A text beside a number, a moment or a binary becomes one (SQL Server's precedence of types)."""
        if isinstance(node, exp.Binary):
            keys = ["this", "expression"]
        elif isinstance(node, exp.Between):
            keys = ["this", "low", "high"]
        else:
            keys = ["this"]
        operands = [node.args[key] for key in keys] + (list(node.expressions) if isinstance(node, exp.In) else [])
        kinds = [operand.meta.get("type") for operand in operands]
        strong = next(
            (
                kind
                for kind in kinds
                if kind is not None and kind.name in MOMENTS | {"uniqueidentifier", "bit"} | set(INTEGERS)
            ),
            None,
        )
        if strong is None:
            return

        def fitted(operand: exp.Expression, kind: SqlType | None) -> exp.Expression:
            wrong = (kind is not None and kind.name in TEXTS) or (
                strong.name in MOMENTS and kind is not None and kind.name in MOMENTS and kind != strong
            )
            to = (
                strong
                if strong.name not in {"datetime", "smalldatetime", "bit"}
                else SqlType("datetime2", scale=7)
                if strong.name != "bit"
                else strong
            )
            if strong.name in INTEGERS:
                to = BIGINT
            return _cast(operand, to, kind) if wrong else operand

        for key in keys:
            operand = node.args[key]
            node.set(key, fitted(operand, operand.meta.get("type")))
        if isinstance(node, exp.In):
            node.set("expressions", [fitted(operand, operand.meta.get("type")) for operand in node.expressions])


# -- single kinds of nodes ---------------------------------------------------------------------------------------------------------


def _typed(node: exp.Expression, kind: SqlType | None) -> exp.Expression:
    if kind is not None:
        node.meta["type"] = kind
    return node


def _call(name: str, arguments: list[exp.Expression], gives: SqlType | None) -> exp.Expression:
    return _typed(exp.Anonymous(this=f"f_{name.lower()}", expressions=arguments), gives)


def _internal(name: str, arguments: list[exp.Expression]) -> exp.Expression:
    return exp.Anonymous(this=name, expressions=arguments)


def _cast(node: exp.Expression, to: SqlType, source: SqlType | None) -> exp.Expression:
    made = _internal(
        "t_cast", [node, exp.Literal.string(type_text(to)), exp.Literal.string(source.name if source else "")]
    )
    return _typed(made, to)


def _condition(node: exp.Expression) -> exp.Expression:
    return node


def _numeric(kind: SqlType | None) -> bool:
    return kind is not None and (kind.name in INTEGERS or kind.name in DECIMALS or kind.name in FLOATS)


_RANK = ["bit", "tinyint", "smallint", "int", "bigint", "smallmoney", "money", "decimal", "real", "float"]


def _arithmetic(left: SqlType | None, right: SqlType | None) -> SqlType | None:
    known = [kind for kind in (left, right) if kind is not None and kind.name in _RANK]
    if not known:
        return None
    top = max(known, key=lambda kind: (_RANK.index(kind.name), kind.scale))
    return SqlType("decimal", 0, 38, top.scale) if top.name == "decimal" else top


def _sum_type(left: SqlType | None, right: SqlType | None) -> SqlType | None:
    for kind in (left, right):
        if kind is not None and kind.name in MOMENTS:
            return kind
    if left is not None and right is not None and left.name in TEXTS and right.name in TEXTS:
        name = "nvarchar" if "n" in (left.name[0], right.name[0]) else "varchar"
        whole = -1 if -1 in (left.length, right.length) else left.length + right.length
        return SqlType(name, whole if whole <= (4000 if name == "nvarchar" else 8000) else -1)
    if left is not None and right is not None and left.name in BINARIES and right.name in BINARIES:
        return SqlType("varbinary", 8000)
    return _arithmetic(left, right)


def wider(one: SqlType | None, other: SqlType | None) -> SqlType:
    """The type of what may be of either."""
    if one is None or other is None:
        return one or other or NVARCHAR
    if one.name in TEXTS and other.name in TEXTS:
        name = one.name if one.name.startswith("n") else other.name
        return SqlType(name, -1 if -1 in (one.length, other.length) else max(one.length, other.length))
    if one.name in _RANK and other.name in _RANK:
        return max(one, other, key=lambda kind: (_RANK.index(kind.name), kind.scale))
    return other if one.name in TEXTS else one


def _common(kinds: Sequence[SqlType | None]) -> SqlType | None:
    known = [kind for kind in kinds if kind is not None]
    made = known[0] if known else None
    for kind in known[1:]:
        made = wider(made, kind)
    return made


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
        return self._call(node.expression, scope, ctes)
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
