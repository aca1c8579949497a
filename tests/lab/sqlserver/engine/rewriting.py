"""The tree of a T-SQL query, changed into one of SQLite: every source resolved, every expression given a type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from tests.lab.sqlserver.engine import calls
from tests.lab.sqlserver.engine.compiling import Need, Source
from tests.lab.sqlserver.engine.functions import BIGINT, NVARCHAR
from tests.lab.sqlserver.engine.inference import (
    Scope,
    _arithmetic,
    _call,
    _cast,
    _internal,
    _numeric,
    _sum_type,
    _typed,
    wider,
)
from tests.lab.sqlserver.engine.messages import fail
from tests.lab.sqlserver.engine.nodes import _SPECIAL
from tests.lab.sqlserver.engine.port import Column, SqlFailure, SqlType
from tests.lab.sqlserver.engine.values import INTEGERS, MOMENTS, TEXTS

Resolve = Callable[[exp.Table, str], Source]

REFUSED = (exp.Lateral, exp.Pivot, exp.MatchRecognize, exp.Unnest, exp.JSONExtract, exp.Bracket)
CONDITIONS = (exp.Predicate, exp.And, exp.Or, exp.Not)


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
            return calls.call(self, node, scope, ctes)
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
