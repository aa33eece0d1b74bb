//! The sandbox: a command runs with bounded files, no credentials and controlled egress.
