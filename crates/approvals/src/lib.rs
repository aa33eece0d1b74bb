//! A person's consent: asked for, bound to one exact action, decided once.
