from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from statehold.processing._errors import LimitExceededError
from statehold.processing._limits import Buckets, Limits
from statehold.sdk import DeployError, Principal
from statehold_vsql.appdef import AccessOperation as Op

SHOP = """
APPLICATION shop ();
ABSTRACT WORKSPACE BaseWS (
  RATE Twice 2 PER MINUTE;
  RATE PerWorkspace 1 PER MINUTE PER WORKSPACE;
  RATE PerUser 1 PER MINUTE PER APP PARTITION PER SUBJECT;
  RATE PerAddress 1 PER 10 SECONDS PER WORKSPACE PER IP;
  %s
);
WORKSPACE ShopWS INHERITS BaseWS (
  DESCRIPTOR Shop ();
  TAG Slow;
  TABLE Bill INHERITS sys.CDoc (Total money);
  EXTENSION ENGINE PYTHON (
    COMMAND Pay WITH Tags=(Slow);
    COMMAND Open WITH Tags=(Slow);
    COMMAND Close;
  );
  %s
);
"""
ANN = Principal(name="ann", kind=1)
BOB = Principal(name="bob", kind=1)


@pytest.fixture
def limits(compiled):
    def limits(shop="", base="", size=1000):
        mine, buckets = Limits(compiled(SHOP % (base, shop))).of("shop.ShopWS"), Buckets(size)

        def take(thing, now=0.0, operation=Op.EXECUTE, workspace=1, principal=ANN, ip="::1"):
            try:
                mine.take(
                    buckets,
                    operation,
                    f"shop.{thing}",
                    workspace=workspace,
                    principal=principal,
                    ip=ip,
                    now=now,
                )
            except LimitExceededError as error:
                return error
            return None

        return take

    return limits


def test_what_no_limit_names_is_not_limited(limits):
    take = limits("LIMIT L EXECUTE ON COMMAND Pay WITH RATE Twice;")
    assert not any(take("Close") for _ in range(100))


def test_a_limit_says_when_there_is_room_again(limits):
    take = limits("LIMIT L EXECUTE ON COMMAND Pay WITH RATE Twice;")
    assert take("Pay") is None
    assert take("Pay", now=1) is None
    refused = take("Pay", now=10)
    assert (refused.limit, refused.status, refused.qname) == ("shop.L", 429, "shop.Pay")
    assert refused.retry_after == pytest.approx(20)
    assert take("Pay", now=29.9)
    assert take("Pay", now=30) is None
    assert take("Pay", now=31)


def test_a_limit_on_all_counts_them_together_and_one_on_each_apart(limits):
    together = limits("LIMIT L EXECUTE ON ALL COMMANDS WITH RATE Twice;")
    assert [bool(together(name)) for name in ("Pay", "Open", "Close")] == [False, False, True]
    each = limits("LIMIT L EXECUTE ON EACH COMMAND WITH RATE Twice;")
    assert [bool(each(name)) for name in ("Pay", "Open", "Pay", "Open", "Pay")] == [False] * 4 + [True]


def test_a_limit_of_a_tag_counts_what_has_it(limits):
    take = limits("LIMIT L EXECUTE ON ALL COMMANDS WITH TAG Slow WITH RATE Twice;")
    assert [bool(take(name)) for name in ("Pay", "Open", "Pay", "Close")] == [False, False, True, False]


def test_a_rate_is_counted_for_what_its_scope_says(limits):
    workspace = limits("LIMIT L EXECUTE ON COMMAND Pay WITH RATE PerWorkspace;")
    assert [bool(workspace("Pay", workspace=n)) for n in (1, 2, 1)] == [False, False, True]
    user = limits("LIMIT L EXECUTE ON COMMAND Pay WITH RATE PerUser;")
    assert [bool(user("Pay", principal=who)) for who in (ANN, BOB, ANN)] == [False, False, True]
    assert [bool(user("Pay", principal=None, ip=ip)) for ip in ("1", "2", "1")] == [False, False, True]
    address = limits("LIMIT L EXECUTE ON COMMAND Pay WITH RATE PerAddress;")
    assert [bool(address("Pay", ip=ip)) for ip in ("1", "2", "1")] == [False, False, True]
    assert address("Pay", ip="1", workspace=2) is None


def test_operations_are_limited_one_by_one(limits):
    take = limits("LIMIT L INSERT, UPDATE ON TABLE Bill WITH RATE Twice;")
    assert take("Bill", operation=Op.INSERT) is None
    assert take("Bill", operation=Op.UPDATE) is None
    assert take("Bill", operation=Op.INSERT)
    assert take("Bill", operation=Op.SELECT) is None


def test_a_refusal_counts_for_no_other_limit(limits):
    take = limits(
        "LIMIT A EXECUTE ON ALL COMMANDS WITH RATE Twice;"
        "LIMIT B EXECUTE ON COMMAND Pay WITH RATE PerWorkspace;"
    )
    assert take("Pay") is None
    assert take("Pay").limit == "shop.B"
    assert take("Open") is None
    assert take("Open").limit == "shop.A"


def test_counters_are_bounded_and_those_nearest_to_full_go_first():
    buckets = Buckets(100)
    for number in range(1000):
        assert buckets.take([(number, 0.01, 10.0)], now=0.0) is None
        assert buckets.take([("busy", 1.0, 1000.0)], now=0.0) is None
        assert len(buckets) <= 101
    assert buckets.take([("busy", 1.0, 1000.0)], now=0.0) is not None


@given(
    count=st.integers(1, 20),
    seconds=st.integers(1, 3600),
    steps=st.lists(st.floats(0, 100, allow_nan=False), max_size=200),
)
def test_in_no_stretch_of_time_pass_more_than_the_rate_lets(count, seconds, steps):
    buckets, now, passed = Buckets(10), 0.0, []
    for step in steps:
        now += step
        refused = buckets.take([("k", seconds / count, seconds)], now)
        if refused is None:
            passed.append(now)
        else:
            assert 0 < refused[1] <= seconds
    for start in range(len(passed)):
        for end in range(start, len(passed)):
            most = count + (passed[end] - passed[start]) * count / seconds
            assert end - start + 1 <= most + 1e-3


def test_the_operator_sets_a_declared_variable_and_another_version_may_have_another(open_shop, image):
    printer = Principal(name="ann", kind=1, roles={1: frozenset({"shop.Boss"})})
    access = "GRANT EXECUTE ON COMMAND Print TO Boss;"
    shop = open_shop(PackageParams={"shop": {"PrintsPerHour": 2}}, access=access)

    def print_it():
        shop.runtime.command(shop.request(principal=printer), "shop.Print", {"Text": "x", "sys.ID": 1})

    print_it()
    print_it()
    with pytest.raises(LimitExceededError, match=r"shop\.Paper1 is used up"):
        print_it()
    shop.host.deploy(image("2", PackageParams={"shop": {"PrintsPerHour": 1000}}, access=access))
    print_it()
    for version, wrong, said in (("3", 0, "must let at least 1 pass"), ("4", "many", "PrintsPerHour")):
        with pytest.raises(DeployError, match=said):
            shop.host.deploy(image(version, PackageParams={"shop": {"PrintsPerHour": wrong}}))
