"""Rating files of readings without Flink: readings and tariffs in, costs and bills out."""
