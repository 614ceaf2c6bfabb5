from __future__ import annotations

from typing import Any

from statehold_vsql._words import ExtensionEngine
from statehold_vsql.syntax._actions._common import Actions, Items, comment_before, over
from statehold_vsql.syntax._actions._names import With
from statehold_vsql.syntax.nodes import (
    Action,
    ActionWord,
    AfterTrigger,
    Command,
    CronTrigger,
    ExtensionBlock,
    Function,
    FunctionParam,
    Job,
    Name,
    Param,
    ParamKind,
    Projector,
    Query,
    Span,
    StorageUse,
)

actions = Actions()

_Uses = tuple[tuple[StorageUse, ...], Span | None]


@actions
def extensions(children: list[Any]) -> ExtensionBlock:
    """Build an EXTENSION ENGINE block."""
    word, _, engine, _, items, close = children
    return ExtensionBlock(
        engine=ExtensionEngine(engine.text),
        engine_span=engine.span,
        items=tuple(items),
        span=over(word, close),
        comment=comment_before(word),
        is_partial=items.is_partial,
    )


@actions
def command(children: list[Any]) -> Command:
    """Build COMMAND."""
    word, name, params, state, intents, returns, with_ = children
    argument, unlogged, close = params or (None, None, None)
    with_ = with_ or With.of(())
    return Command(
        name=name,
        argument=argument,
        unlogged=unlogged,
        state=state[0],
        intents=intents[0],
        returns=returns,
        tags=with_.tags,
        span=over(word, with_.end or returns or intents[1] or state[1] or close or name),
        comment=with_.comment_or(word),
    )


@actions
def params_argument(children: list[Any]) -> tuple[Param | None, Param | None, Span]:
    """Note a command's argument."""
    _, param, close = children
    return param, None, close


@actions
def params_unlogged(children: list[Any]) -> tuple[Param | None, Param | None, Span]:
    """Note a command's unlogged argument."""
    return None, children[-2], children[-1]


actions["params_comma_unlogged"] = params_unlogged


@actions
def params_both(children: list[Any]) -> tuple[Param | None, Param | None, Span]:
    """Note both arguments of a command."""
    return children[1], children[-2], children[-1]


actions["params_both_comma"] = params_both


@actions
def param_any(children: list[Any]) -> Param:
    """Build `any`."""
    return Param(ParamKind.ANY, None, children[0].span)


@actions
def param_void(children: list[Any]) -> Param:
    """Build `void`."""
    return Param(ParamKind.VOID, None, children[0].span)


@actions
def param_type(children: list[Any]) -> Param:
    """Build an argument or result with a type."""
    (type_,) = children
    return Param(ParamKind.TYPE, type_, type_.span)


@actions
def query(children: list[Any]) -> Query:
    """Build QUERY."""
    word, name, params, state, returns, with_ = children
    argument, close = params or (None, None)
    with_ = with_ or With.of(())
    return Query(
        name=name,
        argument=argument,
        state=state[0],
        returns=returns,
        tags=with_.tags,
        span=over(word, with_.end or returns or state[1] or close or name),
        comment=with_.comment_or(word),
    )


@actions
def query_argument(children: list[Any]) -> tuple[Param, Span]:
    """Note a query's argument."""
    _, param, close = children
    return param, close


@actions
def projector_begin(children: list[Any]) -> tuple[Any, bool]:
    """Note where a projector begins."""
    return children[0], False


@actions
def projector_sync(children: list[Any]) -> tuple[Any, bool]:
    """Note where a synchronous projector begins."""
    return children[0], True


@actions
def projector(children: list[Any]) -> Projector:
    """Build PROJECTOR."""
    (word, sync), name, triggers, state, intents, including = children
    return Projector(
        name=name,
        sync=sync,
        triggers=tuple(triggers),
        state=state[0],
        intents=intents[0],
        including_errors=including is not None,
        span=over(word, including or intents[1] or state[1] or triggers[-1]),
        comment=comment_before(word),
    )


@actions
def trigger_cron(children: list[Any]) -> CronTrigger:
    """Build a trigger by the clock."""
    word, schedule = children
    return CronTrigger(schedule, over(word, schedule))


@actions
def trigger_after_one(children: list[Any]) -> AfterTrigger:
    """Build a trigger by what happens to one thing."""
    word, happened, _, target = children
    return AfterTrigger(tuple(happened), (target,), over(word, target))


@actions
def trigger_after_many(children: list[Any]) -> AfterTrigger:
    """Build a trigger by what happens to several things."""
    word, happened, _, _, targets, close = children
    return AfterTrigger(tuple(happened), tuple(targets), over(word, close))


@actions
def trigger_execute(children: list[Any]) -> Items:
    """Note EXECUTE as the only action."""
    return Items().add(ActionWord(Action.EXECUTE, (), children[0].span))


@actions
def trigger_execute_with_param(children: list[Any]) -> Items:
    """Note EXECUTE WITH PARAM as the only action."""
    return Items().add(ActionWord(Action.EXECUTE_WITH_PARAM, (), over(children[0], children[-1])))


@actions
def action(children: list[Any]) -> ActionWord:
    """Build an action."""
    (word,) = children
    return ActionWord(Action(word.text), (), word.span)


@actions
def job(children: list[Any]) -> Job:
    """Build JOB."""
    word, name, schedule, state, intents = children
    return Job(
        name=name,
        schedule=schedule,
        state=state[0],
        intents=intents[0],
        span=over(word, intents[1] or state[1] or schedule or name),
        comment=comment_before(word),
    )


@actions
def function(children: list[Any]) -> Function:
    """Build FUNCTION."""
    word, name, _, params, _, _, returns = children
    return Function(
        name=name,
        params=tuple(params),
        returns=returns,
        span=over(word, returns),
        comment=comment_before(word),
    )


@actions
def function_param_unnamed(children: list[Any]) -> FunctionParam:
    """Build a parameter without a name."""
    (type_,) = children
    return FunctionParam(None, type_, type_.span)


@actions
def function_param_named(children: list[Any]) -> FunctionParam:
    """Build a parameter; its name may be the word for a type."""
    name, type_ = children
    if type(name) is not Name:
        name = Name(name.text, name.span)
    return FunctionParam(name, type_, over(name, type_))


@actions
def uses_none(_: list[Any]) -> _Uses:
    """Note that nothing is used."""
    return (), None


@actions
def uses_of(children: list[Any]) -> _Uses:
    """Note what is used."""
    _, _, uses, close = children
    return tuple(uses), close


@actions
def storage_use(children: list[Any]) -> StorageUse:
    """Build the use of a storage."""
    (storage,) = children
    return StorageUse(storage, (), storage.span)


@actions
def storage_use_with_entities(children: list[Any]) -> StorageUse:
    """Build the use of a storage with entities."""
    storage, _, entities, close = children
    return StorageUse(storage, tuple(entities), over(storage, close))
