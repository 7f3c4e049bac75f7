//! Page tokens: opaque, authenticated, bound to their query.
