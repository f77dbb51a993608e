//! The worker process of the tests: a program that does nothing else.

use std::process::ExitCode;

#[cfg(unix)]
fn main() -> ExitCode {
    lundian_host::worker_main(std::env::args_os().skip(1))
}

#[cfg(not(unix))]
fn main() -> ExitCode {
    ExitCode::FAILURE
}
