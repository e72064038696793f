"""Daphne with the changes that this site needs; `manage.py serve` runs it.

Each change has its cause here and the test that fails without it. To see whether a newer Daphne (or autobahn) makes a
change unnecessary, remove the change and run its test.

Stop on SIGTERM after the requests in flight (server.GracefulServer, http.ConnectionFactory)
    Daphne drops them. tests/progress_site/test_serve.py: test_a_request_in_flight_is_answered_before_it_ends,
    test_it_answers_and_ends_at_once_with_idle_connections
Tell clients of a stopping server to close the connection (http.DrainingRequest.handle_reply)
    A client would send its next request into a connection that is about to end.
    test_a_request_in_flight_is_answered_before_it_ends
End streams when the server stops (http.DrainingRequest.end_stream)
    An event stream never ends by itself. tests/jobs/live/sse/test_stream_server.py:
    test_a_server_that_stops_ends_its_streams_at_once
Wait for a client that reads slowly (http.DrainingRequest as a producer, server.GracefulServer.handle_reply)
    Daphne buffers without a limit: 88 to 592 MiB in 12 s were measured. tests/jobs/live/sse/test_stream_server.py:
    test_what_a_listener_does_not_read_waits_in_the_database
Store no more of a body than the application accepts (http.DrainingRequest.gotLength and handleContentChunk)
    Daphne stores bodies of any size on disk before it calls the application. tests/progress_site/test_raw_http.py:
    test_an_endless_body_is_refused_before_it_ends
Do not parse forms (http.DrainingRequest.__init__)
    Twisted parses them in the event loop, and Daphne does not use the result. tests/progress_site/test_raw_http.py:
    test_a_form_is_parsed_by_the_application_only
Send every close code with its reason (websocket.SocketConnection.serverClose and handle_reply)
    autobahn refuses 1001, 1008 and 1013, and Daphne omits the reason. tests/jobs/live/test_serve.py:
    test_a_stopping_server_says_that_it_goes_away, test_without_a_session_the_close_code_tells_the_browser
Limit the size of received messages only (websocket.SocketConnection.sendMessage)
    autobahn applies the limit to both directions. tests/jobs/live/test_serve.py:
    test_a_snapshot_may_be_larger_than_what_a_browser_may_send
Limit pings (websocket.SocketConnection.onPing)
    Each ping is answered, and unread answers pile up in memory. tests/jobs/live/test_serve.py:
    test_what_waits_for_a_client_that_asks_much_and_reads_nothing_is_bounded
Cancel on stop without waiting for threads (server.GracefulServer.kill_all_applications)
    Daphne waits for every application, also for one that a thread keeps busy. tests/progress_site/test_serve.py:
    test_a_second_signal_does_not_wait_for_the_request

progress_site.asgi_middleware.RootPath also belongs here: Daphne obeys the header Daphne-Root-Path of a client.
tests/progress_site/test_serve.py: test_a_client_cannot_move_the_site
"""
