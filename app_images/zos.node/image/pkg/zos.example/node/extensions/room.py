"""What tenants order and return, and what the caretaker sees."""

from __future__ import annotations

from datetime import UTC, datetime

from statehold.sdk import extension


@extension
def order_folder(call):
    """Reserve a folder; the same order again changes nothing."""
    wanted = call.arg
    there = call.Pool.get(Name=wanted.Name)
    if there is not None and (there.Type, there.Size) != (wanted.Type, wanted.Size):
        call.respond(409, f"there is a folder {wanted.Name} of {there.Size} bytes on {there.Type}")
    else:
        call.Pool.insert(Name=wanted.Name, Type=wanted.Type, Size=wanted.Size)


@extension
def resize_folder(call):
    """Give a folder another size."""
    if call.Pool.get(Name=call.arg.Name) is None:
        call.respond(404, f"there is no folder {call.arg.Name}")
    else:
        call.Pool.update(Name=call.arg.Name, Size=call.arg.Size)


@extension
def return_folder(call):
    """Give a folder back, with all that is in it."""
    if call.Pool.get(Name=call.arg.Name) is None:
        call.respond(404, f"there is no folder {call.arg.Name}")
    else:
        call.Pool.update(Name=call.arg.Name, Released=True)


@extension
def order_store(call):
    """Reserve a key-value store; the same order again gives it the password."""
    wanted = call.arg
    there = call.Namespace.get(Name=wanted.Name)
    order = (wanted.Type, wanted.Size, wanted.Mode)
    if there is not None and (there.Type, there.Size, there.Mode) != order:
        call.respond(409, f"there is a store {wanted.Name} of {there.Size} bytes on {there.Type}")
    else:
        password = call.unlogged.Password if call.unlogged else None
        call.Namespace.insert(
            Name=wanted.Name, Type=wanted.Type, Size=wanted.Size, Mode=wanted.Mode, Password=password
        )


@extension
def freeze_store(call):
    """Let a store only be read, or be written again."""
    if call.Namespace.get(Name=call.arg.Name) is None:
        call.respond(404, f"there is no store {call.arg.Name}")
    else:
        call.Namespace.update(Name=call.arg.Name, Frozen=call.arg.Frozen)


@extension
def return_store(call):
    """Give a store back; what is in it can be read until its time of grace is over."""
    if call.Namespace.get(Name=call.arg.Name) is None:
        call.respond(404, f"there is no store {call.arg.Name}")
    else:
        call.Namespace.update(Name=call.arg.Name, Released=True)


@extension
def give_up_disk(call):
    """Say of a disk that it must not be relied on any more."""
    if call.Disk.get(Name=call.arg.Name) is None:
        call.respond(404, f"there is no disk {call.arg.Name}")
    else:
        call.Disk.update(Name=call.arg.Name, Failing=True)


@extension
def folders(call):
    """Tell which folders there are, and what they hold."""
    for key, folder in call.Pool.read():
        yield {
            "Name": key.Name,
            "Type": folder.Type,
            "Size": folder.Size,
            "Used": folder.Used,
            "Path": folder.Path,
            "State": folder.State,
        }


@extension
def stores(call):
    """Tell which key-value stores there are, and where."""
    for key, store in call.Namespace.read():
        yield {
            "Name": key.Name,
            "Type": store.Type,
            "Size": store.Size,
            "Used": store.Used,
            "Id": store.Id,
            "Host": store.Host,
            "Port": store.Port,
            "State": store.State,
        }


@extension
def disks(call):
    """Tell which disks there are, and how much is free on the pools that are made of them."""
    for key, disk in call.Disk.read():
        yield {
            "Name": key.Name,
            "Type": disk.Type,
            "Size": disk.Size,
            "State": disk.State,
            "Pool": disk.Pool,
            "PoolFree": disk.PoolFree,
            "Limits": disk.Limits,
        }


@extension
def measure(call):
    """Note how much there is of each type, and warn where little is left."""
    pools = {disk.Pool: disk for _, disk in call.Disk.read() if disk.Pool}
    for disk_type in sorted({pool.Type for pool in pools.values()}):
        of_type = [pool for pool in pools.values() if pool.Type == disk_type]
        size, reserved, used, free = (
            sum(getattr(pool, name) or 0 for pool in of_type)
            for name in ("PoolSize", "PoolReserved", "PoolUsed", "PoolFree")
        )
        call.View.Capacity.insert(Node=1, Type=disk_type, Size=size, Reserved=reserved, Used=used, Free=free)
        if free < size // 10:
            call.log.warning("%s: %d of %d bytes are free", disk_type, free, size)


@extension
def note(call):
    """Note what was ordered or returned."""
    order = call.event.argument
    year = datetime.fromtimestamp(call.time, UTC).year
    call.View.Journal.insert(
        Year=year,
        Number=call.event.offset,
        What=call.event.name.partition(".")[2],
        Name=order.Name,
        Size=getattr(order, "Size", None),
    )
