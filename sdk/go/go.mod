module trellis/plugin

go 1.19
