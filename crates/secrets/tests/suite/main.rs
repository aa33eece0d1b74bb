//! Secrets, from outside: found in every shape, hidden, put back.

mod detectors;
mod hiding;
mod robust;
mod shapes;
