module till-go

go 1.19

require trellis/plugin v0.0.0

replace trellis/plugin => ../../sdk/go
