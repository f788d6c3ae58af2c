"""Who may send which request: RocketMQ's plain ACL (module acl of RocketMQ 5.1.0)."""
