//! Arguments, configuration, telemetry, `cli::run`; the only place that exits.

use std::process::ExitCode;

use thexanh::cli;

/// Small and even under many threads; the system's allocator keeps twice the memory after a burst.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(cli::main(std::env::args_os()))
}
