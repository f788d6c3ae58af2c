"""What a name server does with each request (namesrv processor/DefaultRequestProcessor, ClientRequestProcessor)."""
