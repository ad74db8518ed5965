//! Arguments, configuration, telemetry, `cli::run`; the only place that exits.

fn main() {}
