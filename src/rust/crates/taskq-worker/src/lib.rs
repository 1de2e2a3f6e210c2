//! taskq-worker
