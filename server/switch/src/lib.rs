//! The softswitch: channels, the pbx loop, causes, stories.
