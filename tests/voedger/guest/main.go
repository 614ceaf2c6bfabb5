// Package main has the extensions of package acme.example/pos.
package main

import ext "github.com/voedger/voedger/pkg/exttinygo"

const (
	pkg        = "acme.example/pos"
	orders     = pkg + ".Orders"
	orderItems = pkg + ".OrderItems"
	tableDebts = pkg + ".TableDebts"
	beats      = pkg + ".Beats"

	levelInfo     = 3
	tablesOnFloor = 100
	rawOrder      = 1
	rawItem       = 2
	secondsInDay  = 86400
)

func log(message string) {
	key := ext.KeyBuilder(ext.StorageLogger, ext.NullEntity)
	key.PutInt32("LogLevel", levelInfo)
	ext.NewValue(key).PutString("Message", message)
}

func debtKey(table int32) ext.TKeyBuilder {
	key := ext.KeyBuilder(ext.StorageView, tableDebts)
	key.PutInt32("Floor", table/tablesOnFloor)
	key.PutInt32("TableNumber", table)
	return key
}

//export PlaceOrder
func PlaceOrder() {
	arg := ext.MustGetValue(ext.KeyBuilder(ext.StorageCommandContext, ext.NullEntity)).AsValue("ArgumentObject")
	table, price := arg.AsInt32("TableNumber"), arg.AsInt64("Price")

	order := ext.NewValue(ext.KeyBuilder(ext.StorageRecord, orders))
	order.PutInt64("sys.ID", rawOrder)
	order.PutInt32("TableNumber", table)
	order.PutString("Waiter", arg.AsString("Waiter"))
	order.PutInt64("Total", price)

	item := ext.NewValue(ext.KeyBuilder(ext.StorageRecord, orderItems))
	item.PutInt64("sys.ID", rawItem)
	item.PutInt64("sys.ParentID", rawOrder)
	item.PutString("sys.Container", "Items")
	item.PutString("Dish", arg.AsString("Dish"))
	item.PutInt64("Price", price)

	owed := price
	if debt, exists := ext.QueryValue(debtKey(table)); exists {
		owed += debt.AsInt64("Owed")
	}
	result := ext.NewValue(ext.KeyBuilder(ext.StorageResult, ext.NullEntity))
	result.PutInt64("Order", rawOrder)
	result.PutInt64("Owed", owed)
	result.PutQName("Kind", ext.QName{FullPkgName: pkg, Entity: "Orders"})
	log("ordered " + arg.AsString("Dish"))
}

//export RefuseOrder
func RefuseOrder() {
	arg := ext.MustGetValue(ext.KeyBuilder(ext.StorageCommandContext, ext.NullEntity)).AsValue("ArgumentObject")
	ext.Assert(arg.AsInt64("Price") < 0, "no more "+arg.AsString("Dish"))
}

//export Debts
func Debts() {
	arg := ext.MustGetValue(ext.KeyBuilder(ext.StorageQueryContext, ext.NullEntity)).AsValue("ArgumentObject")
	key := ext.KeyBuilder(ext.StorageView, tableDebts)
	key.PutInt32("Floor", arg.AsInt32("Floor"))
	ext.ReadValues(key, func(key ext.TKey, value ext.TValue) {
		result := ext.NewValue(ext.KeyBuilder(ext.StorageResult, ext.NullEntity))
		result.PutInt32("TableNumber", key.AsInt32("TableNumber"))
		result.PutInt64("Owed", value.AsInt64("Owed"))
		result.PutInt32("Dishes", value.AsInt32("Dishes"))
		result.PutString("LastDish", value.AsString("LastDish"))
		result.PutBool("VIP", value.AsInt64("Owed") > 10_000)
	})
	log("debts were asked for")
}

//export CountDebts
func CountDebts() {
	arg := ext.MustGetValue(ext.KeyBuilder(ext.StorageEvent, ext.NullEntity)).AsValue("ArgumentObject")
	key := debtKey(arg.AsInt32("TableNumber"))
	var owed int64
	var dishes int32
	var debt ext.TIntent
	if old, exists := ext.QueryValue(key); exists {
		owed, dishes = old.AsInt64("Owed"), old.AsInt32("Dishes")
		debt = ext.UpdateValue(key, old)
	} else {
		debt = ext.NewValue(key)
	}
	debt.PutInt64("Owed", owed+arg.AsInt64("Price"))
	debt.PutInt32("Dishes", dishes+1)
	debt.PutString("LastDish", arg.AsString("Dish"))
	log("counted " + arg.AsString("Dish"))
}

//export Heartbeat
func Heartbeat() {
	now := ext.MustGetValue(ext.KeyBuilder(ext.StorageJobContext, ext.NullEntity)).AsInt64("UnixTime")
	key := ext.KeyBuilder(ext.StorageView, beats)
	key.PutInt32("Day", int32(now/secondsInDay))
	key.PutInt64("Second", now%secondsInDay)
	ext.NewValue(key).PutString("Note", "alive")
	log("alive")
}

func main() {}
