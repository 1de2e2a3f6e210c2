//! taskq-engine
