"""Different optimizers for different parameters of one network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from fnmatch import fnmatchcase
from typing import Any

from pynet.optimizers.base import Optimizer
from pynet.optimizers.hooks import chosen
from pynet.optimizers.settings import Hyperparameter, Stateful


class ParameterGroups(Optimizer):
    """Each parameter is moved by the optimizer of the first pattern that its name fits.

        ParameterGroups({"W*": Adam(lr=0.001), "b*": SGD(lr=0.1), "*": None})

    None leaves parameters as they are. `lr` is a factor of every optimizer's own rate, 1 at first:
    what a schedule changes. Hooks may be added to the groups, or to an optimizer of one of them.

    Raises ValueError, in `update`, when a pattern fits no parameter or a parameter no pattern.
    """

    lr = Hyperparameter()

    def __init__(self, groups: Mapping[str, Optimizer | None], lr: float = 1.0) -> None:
        super().__init__()
        given = groups.values() if isinstance(groups, Mapping) else ()
        rules = [rule for rule in given if rule is not None]
        if not rules or not all(isinstance(rule, Optimizer) for rule in rules):
            raise TypeError(
                f"[ParameterGroups] groups: expected optimizers by pattern, got {groups!r}"
            )
        if len({id(rule) for rule in rules}) < len(rules):
            raise ValueError(
                "[ParameterGroups] groups: expected an optimizer of its own for each pattern, "
                "got one twice"
            )
        self.groups = dict(groups)
        self.lr = lr

    def parts(self) -> Iterator[tuple[str, Stateful]]:
        yield from super().parts()
        for i, rule in enumerate(self.groups.values()):
            for path, part in rule.parts() if rule is not None else ():
                yield f"group{i}/{path}", part

    @property
    def kind(self) -> str:
        kinds = (f"{name}: {rule and rule.kind}" for name, rule in self.groups.items())
        return super().kind.replace("ParameterGroups", f"ParameterGroups({', '.join(kinds)})", 1)

    def _plan(self, params: Mapping[str, Any], grads: Mapping[str, Any]) -> Any:
        names = list(self.groups)
        where = "[ParameterGroups.update] params"
        chosen("[ParameterGroups] groups", names, params)
        belongs: dict[str, list[str]] = {name: [] for name in names}
        for key in params:
            first = next((name for name in names if fnmatchcase(key, name)), None)
            if first is None:
                raise ValueError(
                    f"{where}: expected names that fit one of {', '.join(names)}, got {key!r}"
                )
            belongs[first].append(key)
        moving, grads = super()._plan(params, grads)
        plans = []
        for name, rule in self.groups.items():
            own = {key: params[key] for key in belongs[name]}
            now = {key: p for key, p in own.items() if key in moving}
            if rule is not None and now:
                plans.append((rule, own, rule._plan(now, grads)))
        return plans

    def _apply(self, params: MutableMapping[str, Any], plan: Any) -> None:
        for rule, own, its_plan in plan:
            base = rule.lr
            rule.lr = base * self.lr
            try:
                rule._apply(own, its_plan)
            finally:
                rule.lr = base
            for key, p in own.items():
                if p is not params[key]:  # a plain number
                    params[key] = p
        for hook in self.hooks:
            hook.after(params)

    def __repr__(self) -> str:
        groups = ", ".join(f"{name!r}: {rule!r}" for name, rule in self.groups.items())
        return f"ParameterGroups({{{groups}}}, lr={self.lr:g})"
