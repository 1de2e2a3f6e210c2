//! taskq-sys
