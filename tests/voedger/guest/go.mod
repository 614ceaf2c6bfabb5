module acme.example/pos

go 1.25.4

require github.com/voedger/voedger v0.0.0-20251118115018-b14c6b2596f2
